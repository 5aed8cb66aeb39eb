// Operands of an encoder within a rollout: dense layers between what environments show and the recurrent layer.

enum { ENCODER_LAYERS = 4 };

struct EncoderLayerOperands {
    int input, output;
    int nonlinearity;
    double scale;                   // of its activities
    Global<const Real> parameters;  // weights [output, input], biases [output]
};

struct EncoderOperands {
    int layers;  // 0: environments show what enters the recurrent layer
    int shown;   // O, the numbers that an environment shows
    int widest;  // the most numbers that go into a layer
    EncoderLayerOperands of[ENCODER_LAYERS];
};

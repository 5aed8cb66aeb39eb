// Operands of a rollout of a layer with fast weights.

template <class World> struct SynapseRollout {
    Operands sequence;                  // x has the first step, or all if it is kept; null for hidden: it is not kept
    PlayOperands play;
    World world;                        // of its environments
};

//! The presets that ship: an entry here, and a file of the same name in `crates/stpn/presets`.

use stpn_core::CellConfig;
use stpn_core::cells::{CellName, NormalizeState};

use super::preset::{Cells, Preset};

/// An entry of the table: name, the feature that its environment needs, its cells, and what it is in one line.
macro_rules! preset {
    ($name:literal, $feature:expr, $cells:ident, $summary:literal) => {
        Preset {
            name: $name,
            summary: $summary,
            feature: $feature,
            cells: &$cells,
            text: include_str!(concat!("../../presets/", $name, ".toml")),
        }
    };
}

/// In the order in which they are listed.
pub static PRESETS: &[Preset] = &[
    preset!("maze-small", None, MAZE, "9×9 maze, 64 in parallel, 100 steps: learns within minutes"),
    preset!("maze", None, MAZE, "the paper's maze: 13×13, 512 in parallel, 200 steps"),
    preset!("maze-small-fast", None, MAZE, "the 9×9 maze by PPO: a better agent in fewer steps"),
    preset!("maze-fast", None, MAZE, "the paper's maze by PPO: a good agent in a fraction of the steps"),
    preset!("art", None, ART, "the paper's associative retrieval, supervised: which digit came with this letter?"),
    preset!(
        "familiarity",
        None,
        FAMILIARITY,
        "the paper's familiarity detection, supervised: was this vector shown R steps ago?"
    ),
    preset!("cartpole", None, CONTROL, "balance a pole on a cart: a small test of PPO"),
    preset!("cartpole-masked", None, CONTROL, "the same with velocities hidden: needs memory"),
    preset!("cartpole-masked-fast", None, CONTROL, "the same within 100,000 steps"),
    preset!("pendulum-masked", None, CONTROL, "swing a pendulum up, its velocity hidden: needs memory"),
    preset!(
        "mountain-car-continuous-masked",
        None,
        CONTROL,
        "get a weak car up a hill by a run-up, its velocity hidden: needs memory"
    ),
    preset!("memory", None, CONTROL, "name a symbol shown eleven steps ago: needs memory"),
    preset!(
        "popgym",
        None,
        NONE,
        "any task of POPGym, in three levels: stpn train popgym TASK --level hard: needs memory"
    ),
    preset!("gym", None, CONTROL, "any environment of Python's Gymnasium: stpn train gym ID"),
    preset!("lunar-lander", None, CONTROL, "land between the flags (Gymnasium, needs gymnasium[box2d])"),
    preset!("lunar-lander-masked", None, CONTROL, "the same with velocities hidden: needs memory"),
    preset!("minigrid-memory", None, CONTROL, "remember an object, turn towards it (MiniGrid, needs minigrid)"),
    preset!("inverted-pendulum", Some("mujoco"), MUJOCO, "the paper's control task: balance a pole, continuous force"),
    preset!(
        "inverted-pendulum-tuned",
        Some("mujoco"),
        MUJOCO,
        "the same with rewards normalised: every cell learns it"
    ),
    preset!("inverted-double-pendulum", Some("mujoco"), WALKING, "balance two poles, one on the other"),
    preset!("hopper", Some("mujoco"), WALKING, "hop forward on one leg"),
    preset!("half-cheetah", Some("mujoco"), WALKING, "run forward on two legs"),
    preset!("walker2d", Some("mujoco"), WALKING, "walk forward on two legs"),
    preset!("ant", Some("mujoco"), WALKING, "walk forward on four legs"),
    preset!("humanoid", Some("mujoco"), WALKING, "walk forward upright"),
    preset!("hopper-masked", Some("mujoco"), CONTROL, "hop forward, velocities hidden: needs memory"),
    preset!("walker2d-masked", Some("mujoco"), CONTROL, "walk forward on two legs, velocities hidden: needs memory"),
    preset!("reacher", Some("mujoco"), WALKING, "reach a target with an arm"),
    preset!("swimmer", Some("mujoco"), WALKING, "swim forward"),
    preset!("pusher", Some("mujoco"), WALKING, "push a cylinder to a target"),
    preset!("pong", Some("atari"), PONG, "the paper's Atari Pong: no frame skip, one frame, A2C"),
    preset!("pong-deepmind", Some("atari"), PONG, "Pong behind the standard wrappers of the field"),
    preset!("atari", Some("atari"), PONG, "any Atari game behind the standard wrappers: stpn train atari GAME"),
];

/// Nothing published.
pub(super) static NONE: Cells = Cells { cells: &[], adapt: |_| () };

/// Control tasks and tasks of memory without a published comparison: cells are matched in parameters.
static CONTROL: Cells = Cells {
    cells: &[
        (CellName::Stpn, None),
        (CellName::Stpnf, None),
        (CellName::Lstm, None),
        (CellName::Rnn, None),
        (CellName::Mlp, None),
    ],
    adapt: |_| (),
};

/// Control tasks as in the published InvertedPendulum comparison: 64 units of each.
static MUJOCO: Cells = Cells {
    cells: &[
        (CellName::Stpn, Some(64)),
        (CellName::Stpnf, Some(64)),
        (CellName::Lstm, Some(64)),
        (CellName::Rnn, Some(64)),
        (CellName::Mlp, Some(64)),
    ],
    adapt: not_normalized,
};

/// MuJoCo's other tasks, of which nothing is published: the same cells, matched in parameters.
static WALKING: Cells = Cells { cells: CONTROL.cells, adapt: not_normalized };

/// Fast weights as in the published InvertedPendulum comparison: not normalised, and clamped at 0.1.
fn not_normalized(cell: &mut CellConfig) {
    if let CellConfig::Stpn(options) = cell {
        options.normalize_forward = false;
        options.normalize_state = NormalizeState::None;
        options.clamp = Some(0.1);
        options.bias = true;
    }
}

/// Atari games, in the sizes of the published Pong comparison.
static PONG: Cells = Cells { cells: &[(CellName::Stpn, Some(64)), (CellName::Lstm, Some(48))], adapt: |_| () };

/// Mazes, in the published sizes, which are matched in parameters. The published runs normalise the fast weights after
/// the update and clamp them at 1.
static MAZE: Cells = Cells {
    cells: &[
        (CellName::Stpn, Some(55)),
        (CellName::Lstm, Some(47)),
        (CellName::Rnn, Some(100)),
        (CellName::Backpropamine, Some(73)),
        (CellName::StpnScalar, Some(55)),
        (CellName::Stpnf, Some(76)),
        (CellName::StpnfScalar, Some(181)),
        (CellName::HebbFf, Some(181)),
    ],
    adapt: |cell| {
        if let CellConfig::Stpn(options) = cell {
            options.normalize_state = NormalizeState::After;
            options.clamp = Some(1.0);
        }
    },
};

/// Associative retrieval, in the published sizes, which are matched in parameters.
static ART: Cells = Cells {
    cells: &[
        (CellName::Stpn, Some(11)),
        (CellName::Lstm, Some(9)),
        (CellName::Rnn, Some(20)),
        (CellName::FastWeights, Some(20)),
        (CellName::Backpropamine, Some(17)),
        (CellName::StpnScalar, Some(20)),
        (CellName::Stpnf, Some(13)),
        (CellName::StpnfScalar, Some(26)),
        (CellName::HebbFf, Some(26)),
    ],
    adapt: |_| (),
};

/// Familiarity detection, in the published sizes, which are matched in parameters.
///
/// Without a bias a feed-forward STPN is an odd function of its inputs, and an odd function cannot tell a familiar vector:
/// x and −x must give the same answer. The clamp bounds fast weights that decay by a λ near 1 over thousands of steps. Both
/// are our choice.
static FAMILIARITY: Cells = Cells {
    cells: &[
        (CellName::Stpn, Some(27)),
        (CellName::StpnScalar, Some(62)),
        (CellName::Stpnf, Some(34)),
        (CellName::StpnfScalar, Some(100)),
        (CellName::HebbFf, Some(100)),
        (CellName::Lstm, Some(21)),
    ],
    adapt: |cell| {
        if let CellConfig::Stpn(options) = cell
            && !options.recurrent
        {
            options.normalize_forward = false;
            options.clamp = Some(1.0);
            options.bias = true;
        }
    },
};

#include "hidden_state.hpp"

#include <cstring>
#include <iterator>
#include <stdexcept>
#include <type_traits>

#include "ale/emucore/CartDPC.hxx"
#include "ale/emucore/Console.hxx"
#include "ale/emucore/System.hxx"
#include "ale/emucore/TIA.hxx"
#include "ale/games/supported/Atlantis2.hpp"
#include "ale/games/supported/ChopperCommand.hpp"
#include "ale/games/supported/DemonAttack.hpp"
#include "ale/games/supported/Hangman.hpp"
#include "ale/games/supported/MiniatureGolf.hpp"
#include "ale/games/supported/VideoCube.hpp"

// Private members are reached by explicit instantiation, to which access does not apply: the emulator's source stays as
// it was published. A member declared by EXPOSE is `object.*reveal(Class_member())`, a static one `*reveal(...)`.
template <class Tag, typename Tag::type member>
struct Reveal {
  friend typename Tag::type reveal(Tag) { return member; }
};

#define EXPOSE_AS(tag, pointer, address) \
  struct tag {                           \
    using type = pointer;                \
    friend type reveal(tag);             \
  };                                     \
  template struct Reveal<tag, address>;

#define EXPOSE(scope, cls, member, member_type) \
  using cls##_##member##_type = member_type;    \
  EXPOSE_AS(cls##_##member, cls##_##member##_type scope::cls::*, &scope::cls::member)

#define EXPOSE_STATIC(scope, cls, member, member_type) \
  using cls##_##member##_type = member_type;           \
  EXPOSE_AS(cls##_##member, cls##_##member##_type*, &scope::cls::member)

EXPOSE(ale::stella, TIA, myCurrentFrameBuffer, uint8_t*)
EXPOSE(ale::stella, TIA, myPreviousFrameBuffer, uint8_t*)
EXPOSE(ale::stella, TIA, myFramePointer, uint8_t*)
EXPOSE(ale::stella, TIA, myPartialFrameFlag, bool)
EXPOSE(ale::stella, TIA, myFrameGreyed, bool)
EXPOSE(ale::stella, TIA, myCurrentBLMask, const uint8_t*)
EXPOSE(ale::stella, TIA, myCurrentM0Mask, const uint8_t*)
EXPOSE(ale::stella, TIA, myCurrentM1Mask, const uint8_t*)
EXPOSE(ale::stella, TIA, myCurrentP0Mask, const uint8_t*)
EXPOSE(ale::stella, TIA, myCurrentP1Mask, const uint8_t*)
EXPOSE(ale::stella, TIA, myCurrentPFMask, const uint32_t*)
EXPOSE_STATIC(ale::stella, TIA, ourBallMaskTable, uint8_t[4][4][320])
EXPOSE_STATIC(ale::stella, TIA, ourMissleMaskTable, uint8_t[4][8][4][320])
EXPOSE_STATIC(ale::stella, TIA, ourPlayerMaskTable, uint8_t[4][2][8][320])
EXPOSE_STATIC(ale::stella, TIA, ourDisabledMaskTable, const uint8_t[640])
EXPOSE_STATIC(ale::stella, TIA, ourPlayfieldTable, uint32_t[2][160])
EXPOSE(ale::stella, System, myDataBusState, uint8_t)
EXPOSE(ale::stella, System, myDevices, ale::stella::Device* [100])
EXPOSE(ale::stella, System, myNumberOfDevices, uint32_t)
EXPOSE(ale::stella, CartridgeDPC, myFractionalClocks, double)
EXPOSE(ale, StellaEnvironment, m_player_a_action, ale::Action)
EXPOSE(ale, StellaEnvironment, m_paddle_a_strength, float)
EXPOSE(ale, Atlantis2Settings, m_lives, int)
EXPOSE(ale, ChopperCommandSettings, m_is_started, bool)
EXPOSE(ale, DemonAttackSettings, m_level_change, bool)
EXPOSE(ale, HangmanSettings, m_timerArray, int[2])
EXPOSE(ale, VideoCubeSettings, m_timerArray, int[2])
EXPOSE(ale, MiniatureGolfSettings, m_levelNumber, int)
EXPOSE(ale, MiniatureGolfSettings, m_levelPar, int)
EXPOSE(ale, MiniatureGolfSettings, m_hits, int)
EXPOSE(ale, MiniatureGolfSettings, m_leftStatus, int)
EXPOSE(ale, MiniatureGolfSettings, m_hitsAtStartOfLevel, int)

namespace stpn {
namespace {

using ale::stella::TIA;

// A scanline of a mask is read from its pointer on.
constexpr size_t SCANLINE = 160;

struct Table {
  const uint8_t* start;
  size_t length;
};

template <class Array>
Table table(const Array* array) {
  return {reinterpret_cast<const uint8_t*>(array), sizeof(Array)};
}

Table mask_tables(size_t index) {
  switch (index) {
    case 0: return table(reveal(TIA_ourBallMaskTable()));
    case 1: return table(reveal(TIA_ourMissleMaskTable()));
    case 2: return table(reveal(TIA_ourPlayerMaskTable()));
    default: return table(reveal(TIA_ourDisabledMaskTable()));
  }
}

constexpr size_t MASK_TABLES = 4;

using Mask = const uint8_t* TIA::*;

const Mask* masks() {
  static const Mask masks[] = {reveal(TIA_myCurrentBLMask()), reveal(TIA_myCurrentM0Mask()),
                               reveal(TIA_myCurrentM1Mask()), reveal(TIA_myCurrentP0Mask()),
                               reveal(TIA_myCurrentP1Mask())};
  return masks;
}

[[noreturn]] void refuse() { throw std::runtime_error("it points outside the emulator's tables"); }

TIA& television(ale::stella::OSystem& system) { return dynamic_cast<TIA&>(system.console().mediaSource()); }

// The only cartridge whose own saved state is rounded, where the game has it.
ale::stella::CartridgeDPC* rounded_cartridge(ale::stella::System& system) {
  auto& devices = system.*reveal(System_myDevices());
  for (uint32_t index = 0; index < system.*reveal(System_myNumberOfDevices()); ++index) {
    if (auto* cartridge = dynamic_cast<ale::stella::CartridgeDPC*>(devices[index])) return cartridge;
  }
  return nullptr;
}

// Calls `work` on each number that the game keeps beside its saved state, with its place in `HiddenState::game`.
template <class Work>
void each_of_game(ale::RomSettings& game, Work work) {
  if (auto* it = dynamic_cast<ale::Atlantis2Settings*>(&game)) work(0, it->*reveal(Atlantis2Settings_m_lives()));
  if (auto* it = dynamic_cast<ale::ChopperCommandSettings*>(&game)) {
    work(0, it->*reveal(ChopperCommandSettings_m_is_started()));
  }
  if (auto* it = dynamic_cast<ale::DemonAttackSettings*>(&game)) {
    work(0, it->*reveal(DemonAttackSettings_m_level_change()));
  }
  if (auto* it = dynamic_cast<ale::HangmanSettings*>(&game)) {
    for (int index = 0; index < 2; ++index) work(index, (it->*reveal(HangmanSettings_m_timerArray()))[index]);
  }
  if (auto* it = dynamic_cast<ale::VideoCubeSettings*>(&game)) {
    for (int index = 0; index < 2; ++index) work(index, (it->*reveal(VideoCubeSettings_m_timerArray()))[index]);
  }
  // It saves its numbers as truth values, and reads those back as numbers.
  if (auto* it = dynamic_cast<ale::MiniatureGolfSettings*>(&game)) {
    work(0, it->*reveal(MiniatureGolfSettings_m_levelNumber()));
    work(1, it->*reveal(MiniatureGolfSettings_m_levelPar()));
    work(2, it->*reveal(MiniatureGolfSettings_m_hits()));
    work(3, it->*reveal(MiniatureGolfSettings_m_leftStatus()));
    work(4, it->*reveal(MiniatureGolfSettings_m_hitsAtStartOfLevel()));
  }
}

}  // namespace

HiddenState HiddenState::of(ale::StellaEnvironment& environment, ale::stella::OSystem& os, ale::RomSettings& game) {
  HiddenState state;
  // Padding too: equal states have equal bytes.
  std::memset(static_cast<void*>(&state), 0, sizeof state);
  TIA& tia = television(os);
  for (size_t index = 0; index < std::size(state.mask_table); ++index) {
    const uint8_t* pointer = tia.*masks()[index];
    state.mask_table[index] = -1;
    for (size_t number = 0; number < MASK_TABLES; ++number) {
      Table table = mask_tables(number);
      if (pointer >= table.start && pointer < table.start + table.length) {
        state.mask_table[index] = number;
        state.mask_offset[index] = pointer - table.start;
      }
    }
    if (state.mask_table[index] < 0) refuse();
  }
  state.playfield_offset = tia.*reveal(TIA_myCurrentPFMask()) - (*reveal(TIA_ourPlayfieldTable()))[0];
  state.frame_pointer = tia.*reveal(TIA_myFramePointer()) - tia.*reveal(TIA_myCurrentFrameBuffer());
  state.partial_frame = tia.*reveal(TIA_myPartialFrameFlag());
  state.frame_greyed = tia.*reveal(TIA_myFrameGreyed());
  std::memcpy(state.current_frame, tia.*reveal(TIA_myCurrentFrameBuffer()), PIXELS);
  std::memcpy(state.previous_frame, tia.*reveal(TIA_myPreviousFrameBuffer()), PIXELS);
  ale::stella::System& system = os.console().system();
  state.data_bus = system.*reveal(System_myDataBusState());
  if (auto* cartridge = rounded_cartridge(system)) {
    state.fractional_clocks = cartridge->*reveal(CartridgeDPC_myFractionalClocks());
  }
  state.last_action = environment.*reveal(StellaEnvironment_m_player_a_action());
  each_of_game(game, [&](int index, auto& value) { state.game[index] = value; });
  return state;
}

HiddenState HiddenState::from(const std::string& bytes) {
  if (bytes.size() <= size()) throw std::runtime_error("it is cut short");
  HiddenState state;
  std::memcpy(static_cast<void*>(&state), bytes.data(), size());
  return state;
}

std::string HiddenState::bytes() const { return std::string(reinterpret_cast<const char*>(this), size()); }

void HiddenState::restore(ale::StellaEnvironment& environment, ale::stella::OSystem& os, ale::RomSettings& game) const {
  for (size_t index = 0; index < std::size(mask_table); ++index) {
    if (mask_table[index] < 0 || static_cast<size_t>(mask_table[index]) >= MASK_TABLES) refuse();
    size_t length = mask_tables(mask_table[index]).length;
    if (mask_offset[index] < 0 || mask_offset[index] + SCANLINE > length) refuse();
  }
  if (playfield_offset != 0 && playfield_offset != static_cast<int32_t>(SCANLINE)) refuse();
  if (frame_pointer < 0 || frame_pointer > PIXELS) refuse();
  if (last_action < 0 || last_action >= ale::PLAYER_B_NOOP) refuse();

  TIA& tia = television(os);
  for (size_t index = 0; index < std::size(mask_table); ++index) {
    tia.*masks()[index] = mask_tables(mask_table[index]).start + mask_offset[index];
  }
  tia.*reveal(TIA_myCurrentPFMask()) = (*reveal(TIA_ourPlayfieldTable()))[0] + playfield_offset;
  uint8_t* frame = tia.*reveal(TIA_myCurrentFrameBuffer());
  tia.*reveal(TIA_myFramePointer()) = frame + frame_pointer;
  tia.*reveal(TIA_myPartialFrameFlag()) = partial_frame != 0;
  tia.*reveal(TIA_myFrameGreyed()) = frame_greyed != 0;
  std::memcpy(frame, current_frame, PIXELS);
  std::memcpy(tia.*reveal(TIA_myPreviousFrameBuffer()), previous_frame, PIXELS);
  const ale::ALEScreen& screen = environment.getScreen();
  std::memcpy(screen.getArray(), current_frame, screen.arraySize());
  ale::stella::System& system = os.console().system();
  system.*reveal(System_myDataBusState()) = static_cast<uint8_t>(data_bus);
  if (auto* cartridge = rounded_cartridge(system)) {
    cartridge->*reveal(CartridgeDPC_myFractionalClocks()) = fractional_clocks;
  }
  environment.*reveal(StellaEnvironment_m_player_a_action()) = static_cast<ale::Action>(last_action);
  environment.*reveal(StellaEnvironment_m_paddle_a_strength()) = 1.0f;
  each_of_game(game, [&](int index, auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(this->game[index]);
  });
}

}  // namespace stpn

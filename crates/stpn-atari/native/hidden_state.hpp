// What the emulator's own saved states leave out: the picture, where the television was looking up its sprites, the
// action that may be repeated, and a few games' memory of the last frame. Without it a restored game can go on
// differently from the saved one.

#pragma once

#include <string>

#include "ale/emucore/OSystem.hxx"
#include "ale/environment/stella_environment.hpp"
#include "ale/games/RomSettings.hpp"

namespace stpn {

// Plain numbers, so that it can be copied as bytes.
struct HiddenState {
  static constexpr int PIXELS = 160 * 300;

  // Lookup tables, each a table's number and an offset in it.
  int32_t mask_table[5];
  int32_t mask_offset[5];
  int32_t playfield_offset;
  int32_t frame_pointer;
  int32_t partial_frame;
  int32_t frame_greyed;
  int32_t data_bus;
  int32_t last_action;
  int32_t game[5];
  double fractional_clocks;
  uint8_t current_frame[PIXELS];
  uint8_t previous_frame[PIXELS];

  static size_t size() { return sizeof(HiddenState); }
  static HiddenState of(ale::StellaEnvironment&, ale::stella::OSystem&, ale::RomSettings&);
  static HiddenState from(const std::string& bytes);
  void restore(ale::StellaEnvironment&, ale::stella::OSystem&, ale::RomSettings&) const;
  std::string bytes() const;
};

}  // namespace stpn

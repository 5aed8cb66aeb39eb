// Takes the place of the emulator's file of the same name: colour averaging, which is never switched on here, and whose
// tables cost a hundred times as much to make as everything else of an emulator.

#include "ale/environment/phosphor_blend.hpp"

#include <stdexcept>

namespace ale {

PhosphorBlend::PhosphorBlend(stella::OSystem* osystem) : m_osystem(osystem) {}

void PhosphorBlend::process(ALEScreen&) {
  throw std::logic_error("colour averaging is not part of this build");
}

}  // namespace ale

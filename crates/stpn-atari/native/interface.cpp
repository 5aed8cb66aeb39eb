// The C interface that ffi.rs declares. No exception leaves it: every function that can fail returns false and writes
// why. Nothing here is safe to call on one emulator from two threads at once; opening is serialised by the caller.

#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>

#include "ale/ale_interface.hpp"
#include "ale/common/ColourPalette.hpp"
#include "ale/common/Log.hpp"
#include "ale/emucore/MD5.hxx"
#include "hidden_state.hpp"

namespace {

using stpn::HiddenState;

struct Message {
  char* text;
  size_t capacity;
};

void write(Message message, const char* text) {
  if (message.capacity == 0) return;
  std::strncpy(message.text, text, message.capacity - 1);
  message.text[message.capacity - 1] = '\0';
}

template <class Work>
bool guarded(Message message, Work work) {
  try {
    work();
    return true;
  } catch (const std::exception& error) {
    write(message, error.what());
  } catch (const char* error) {
    write(message, error);
  } catch (...) {
    write(message, "an unknown C++ exception");
  }
  return false;
}

}  // namespace

struct StpnAtari {
  ale::ALEInterface ale;
};

struct StpnAtariView {
  const uint8_t* screen;
  const uint8_t* ram;
  uint32_t height;
  uint32_t width;
  uint32_t palette[256];
  uint32_t legal;
  uint32_t minimal;
};

struct StpnAtariStatus {
  int32_t reward;
  int32_t lives;
  int32_t frame;
  int32_t episode_frame;
  bool over;
  bool truncated;
};

namespace {

uint32_t bits(const std::vector<ale::Action>& actions) {
  uint32_t set = 0;
  for (ale::Action action : actions) set |= 1u << action;
  return set;
}

void report(StpnAtari& atari, int32_t reward, StpnAtariStatus* status) {
  status->reward = reward;
  status->lives = atari.ale.lives();
  status->frame = atari.ale.getFrameNumber();
  status->episode_frame = atari.ale.getEpisodeFrameNumber();
  status->over = atari.ale.game_over(false);
  status->truncated = atari.ale.game_truncated();
}

std::string serialize(StpnAtari& atari) {
  std::string visible = atari.ale.cloneSystemState().serialize();
  std::string hidden = HiddenState::of(*atari.ale.environment, *atari.ale.theOSystem, *atari.ale.romSettings).bytes();
  return hidden + visible;
}

}  // namespace

extern "C" {

// The supported game whose cartridge this is, as a name of at most `message.capacity` bytes; false if there is none.
bool stpn_atari_identify(const uint8_t* cartridge, uint32_t length, Message name) {
  bool known = false;
  bool done = guarded(name, [&] {
    std::string md5 = ale::stella::MD5(cartridge, length);
    std::unique_ptr<ale::RomSettings> game(ale::buildRomRLWrapper(std::filesystem::path(), md5));
    known = game != nullptr && md5 == game->md5();
    if (known) write(name, game->rom());
  });
  return done && known;
}

// Loads a cartridge that `stpn_atari_identify` knows: the emulator ends the process on any other.
StpnAtari* stpn_atari_open(const char* path, float repeat_action_probability, int32_t max_frames, Message message) {
  std::unique_ptr<StpnAtari> atari;
  bool done = guarded(message, [&] {
    ale::Logger::setMode(ale::Logger::Error);
    atari = std::make_unique<StpnAtari>();
    atari->ale.setInt("random_seed", 0);
    atari->ale.setFloat("repeat_action_probability", repeat_action_probability);
    atari->ale.setInt("max_num_frames_per_episode", max_frames);
    atari->ale.loadROM(path);
  });
  return done ? atari.release() : nullptr;
}

void stpn_atari_close(StpnAtari* atari) { delete atari; }

// What stays the same, or in the same place, as long as the emulator is open.
bool stpn_atari_view(StpnAtari* atari, StpnAtariView* view, Message message) {
  return guarded(message, [&] {
    const ale::ALEScreen& screen = atari->ale.getScreen();
    view->screen = screen.getArray();
    view->ram = atari->ale.getRAM().array();
    view->height = screen.height();
    view->width = screen.width();
    for (int index = 0; index < 256; ++index) view->palette[index] = atari->ale.theOSystem->colourPalette().getRGB(index);
    view->legal = bits(atari->ale.getLegalActionSet());
    view->minimal = bits(atari->ale.getMinimalActionSet());
  });
}

void stpn_atari_seed(StpnAtari* atari, uint32_t seed) { atari->ale.environment->getEnvironmentRNG().seed(seed); }

bool stpn_atari_set_mode(StpnAtari* atari, uint32_t mode, Message message) {
  return guarded(message, [&] { atari->ale.setMode(mode); });
}

bool stpn_atari_set_difficulty(StpnAtari* atari, uint32_t difficulty, Message message) {
  return guarded(message, [&] { atari->ale.setDifficulty(difficulty); });
}

bool stpn_atari_reset(StpnAtari* atari, StpnAtariStatus* status, Message message) {
  return guarded(message, [&] {
    atari->ale.reset_game();
    report(*atari, 0, status);
  });
}

// `action` is one of the 18 of the first player.
bool stpn_atari_act(StpnAtari* atari, uint8_t action, StpnAtariStatus* status, Message message) {
  return guarded(message, [&] {
    int32_t reward = atari->ale.act(static_cast<ale::Action>(action));
    report(*atari, reward, status);
  });
}

// Calls `take` with the whole state, once. Changes nothing.
bool stpn_atari_save(StpnAtari* atari, void (*take)(void*, const uint8_t*, size_t), void* to, Message message) {
  return guarded(message, [&] {
    std::string saved = serialize(*atari);
    take(to, reinterpret_cast<const uint8_t*>(saved.data()), saved.size());
  });
}

// Takes over what `stpn_atari_save` made for the same game. The emulator's own reading fails silently, so the state is
// saved again and compared.
bool stpn_atari_restore(StpnAtari* atari, const uint8_t* bytes, size_t length, StpnAtariStatus* status,
                        Message message) {
  return guarded(message, [&] {
    std::string given(reinterpret_cast<const char*>(bytes), length);
    HiddenState hidden = HiddenState::from(given);
    ale::ALEState visible(given.substr(HiddenState::size()));
    atari->ale.restoreSystemState(visible);
    hidden.restore(*atari->ale.environment, *atari->ale.theOSystem, *atari->ale.romSettings);
    if (serialize(*atari) != given) throw std::runtime_error("the emulator did not take it over as it was saved");
    report(*atari, 0, status);
  });
}

}  // extern "C"

//! The only place that talks to C++: declarations of `native/interface.cpp` and a handle that makes them safe.

#![allow(unsafe_code, reason = "foreign functions; each block says why it is sound")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::slice;
use std::sync::{Mutex, PoisonError};

/// The C++ object, never looked into from here.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

/// Where the other side writes a text, zero-terminated and cut to fit.
#[repr(C)]
struct Message {
    text: *mut c_char,
    capacity: usize,
}

#[repr(C)]
struct RawView {
    screen: *const u8,
    ram: *const u8,
    height: u32,
    width: u32,
    palette: [u32; 256],
    legal: u32,
    minimal: u32,
}

/// What a frame led to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    pub reward: i32,
    pub lives: i32,
    pub frame: i32,
    pub episode_frame: i32,
    pub over: bool,
    pub truncated: bool,
}

/// Takes bytes that are valid during the call; its first argument is what `stpn_atari_save` was given for it.
type Take = unsafe extern "C" fn(*mut c_void, *const u8, usize);

// SAFETY: the declarations repeat those of native/interface.cpp.
unsafe extern "C" {
    fn stpn_atari_identify(cartridge: *const u8, length: u32, name: Message) -> bool;
    fn stpn_atari_open(path: *const c_char, repeat_probability: f32, max_frames: i32, message: Message) -> *mut Opaque;
    fn stpn_atari_close(atari: *mut Opaque);
    fn stpn_atari_view(atari: *mut Opaque, view: *mut RawView, message: Message) -> bool;
    fn stpn_atari_seed(atari: *mut Opaque, seed: u32);
    fn stpn_atari_set_mode(atari: *mut Opaque, mode: u32, message: Message) -> bool;
    fn stpn_atari_set_difficulty(atari: *mut Opaque, difficulty: u32, message: Message) -> bool;
    fn stpn_atari_reset(atari: *mut Opaque, status: *mut Status, message: Message) -> bool;
    fn stpn_atari_act(atari: *mut Opaque, action: u8, status: *mut Status, message: Message) -> bool;
    fn stpn_atari_save(atari: *mut Opaque, take: Take, to: *mut c_void, message: Message) -> bool;
    fn stpn_atari_restore(
        atari: *mut Opaque,
        bytes: *const u8,
        length: usize,
        status: *mut Status,
        message: Message,
    ) -> bool;
}

/// Opening sets the emulator's static log level and reads its static tables of games.
static OPENING: Mutex<()> = Mutex::new(());

/// Space for a text from the other side.
struct Text([u8; 256]);

impl Text {
    fn new() -> Self {
        Self([0; 256])
    }

    fn message(&mut self) -> Message {
        Message { text: self.0.as_mut_ptr().cast(), capacity: self.0.len() }
    }

    fn read(&self) -> String {
        CStr::from_bytes_until_nul(&self.0).map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
    }

    /// Calls a function that says whether it succeeded and writes why not.
    fn call(function: impl FnOnce(Message) -> bool) -> Result<(), String> {
        let mut text = Self::new();
        if function(text.message()) { Ok(()) } else { Err(text.read()) }
    }
}

/// The name of the game whose cartridge this is.
pub fn identify(cartridge: &[u8]) -> Result<String, String> {
    let length = u32::try_from(cartridge.len()).map_err(|_| "it is too large for a cartridge".to_string())?;
    let _guard = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut name = Text::new();
    // SAFETY: the cartridge is `length` bytes long, and the message points to a buffer that outlives the call.
    if unsafe { stpn_atari_identify(cartridge.as_ptr(), length, name.message()) } {
        return Ok(name.read());
    }
    Err("is none of the games that the emulator knows the rewards of".into())
}

/// An open emulator.
#[derive(Debug)]
pub struct Handle {
    pointer: NonNull<Opaque>,
    screen: NonNull<u8>,
    ram: NonNull<u8>,
    pub height: usize,
    pub width: usize,
    pub palette: [u32; 256],
    pub legal: u32,
    pub minimal: u32,
}

// SAFETY: an emulator touches nothing outside itself but constant tables, the log level, which is set under a lock
// while opening, and tables filled under `std::call_once`. It has no thread-local state.
unsafe impl Send for Handle {}

impl Handle {
    /// Opens a cartridge that [`identify`] knows.
    pub fn open(path: &Path, repeat_probability: f32, max_frames: i32) -> Result<Self, String> {
        let text = path.to_str().ok_or("its path is not UTF-8")?;
        let text = CString::new(text).map_err(|_| "its path has a zero byte")?;
        let _guard = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut message = Text::new();
        // SAFETY: the path is zero-terminated, and the message points to a buffer that outlives the call.
        let pointer = unsafe { stpn_atari_open(text.as_ptr(), repeat_probability, max_frames, message.message()) };
        let pointer = NonNull::new(pointer).ok_or_else(|| message.read())?;
        let mut view = RawView {
            screen: std::ptr::null(),
            ram: std::ptr::null(),
            height: 0,
            width: 0,
            palette: [0; 256],
            legal: 0,
            minimal: 0,
        };
        // SAFETY: the emulator was just opened, and the view outlives the call.
        let seen = Text::call(|message| unsafe { stpn_atari_view(pointer.as_ptr(), &mut view, message) });
        let pointers = (NonNull::new(view.screen.cast_mut()), NonNull::new(view.ram.cast_mut()));
        let (Ok(()), (Some(screen), Some(ram))) = (&seen, pointers) else {
            // SAFETY: opened above, and not used afterwards.
            unsafe { stpn_atari_close(pointer.as_ptr()) };
            return Err(seen.err().unwrap_or_else(|| "it has no screen".into()));
        };
        let (height, width) = (view.height as usize, view.width as usize);
        let RawView { palette, legal, minimal, .. } = view;
        Ok(Self { pointer, screen, ram, height, width, palette, legal, minimal })
    }

    /// The screen's palette indices.
    pub fn screen(&self) -> &[u8] {
        // SAFETY: the emulator keeps `height` × `width` bytes there as long as it is open, and writes them only in
        // calls that take `&mut self`.
        unsafe { slice::from_raw_parts(self.screen.as_ptr(), self.height * self.width) }
    }

    /// The console's memory.
    pub fn ram(&self) -> &[u8; 128] {
        // SAFETY: the emulator keeps 128 bytes there as long as it is open, and writes them only in calls that take
        // `&mut self`.
        unsafe { self.ram.cast::<[u8; 128]>().as_ref() }
    }

    /// Seeds the random stream of sticky actions.
    pub fn seed(&mut self, seed: u32) {
        // SAFETY: open, and borrowed exclusively.
        unsafe { stpn_atari_seed(self.pointer.as_ptr(), seed) }
    }

    pub fn set_mode(&mut self, mode: u32) -> Result<(), String> {
        // SAFETY: open, and borrowed exclusively.
        Text::call(|message| unsafe { stpn_atari_set_mode(self.pointer.as_ptr(), mode, message) })
    }

    pub fn set_difficulty(&mut self, difficulty: u32) -> Result<(), String> {
        // SAFETY: open, and borrowed exclusively.
        Text::call(|message| unsafe { stpn_atari_set_difficulty(self.pointer.as_ptr(), difficulty, message) })
    }

    pub fn reset(&mut self) -> Result<Status, String> {
        let mut status = Status::default();
        // SAFETY: open, and borrowed exclusively; the status outlives the call.
        Text::call(|message| unsafe { stpn_atari_reset(self.pointer.as_ptr(), &mut status, message) })?;
        Ok(status)
    }

    pub fn act(&mut self, action: crate::Action) -> Result<Status, String> {
        let mut status = Status::default();
        let action = action as u8;
        // SAFETY: open, and borrowed exclusively; the action is one of the 18, and the status outlives the call.
        Text::call(|message| unsafe { stpn_atari_act(self.pointer.as_ptr(), action, &mut status, message) })?;
        Ok(status)
    }

    /// Appends the whole state.
    pub fn save(&self, bytes: &mut Vec<u8>) -> Result<(), String> {
        unsafe extern "C" fn append(to: *mut c_void, start: *const u8, length: usize) {
            // SAFETY: `save` passes a vector that nobody else touches meanwhile, and the other side `length` bytes.
            let (bytes, saved) = unsafe { (&mut *to.cast::<Vec<u8>>(), slice::from_raw_parts(start, length)) };
            bytes.extend_from_slice(saved);
        }
        let to: *mut Vec<u8> = bytes;
        // SAFETY: open, and not shared with another thread, for the handle is not Sync; saving changes neither the
        // screen nor the memory that may be borrowed. `append` gets the vector that it expects.
        Text::call(|message| unsafe { stpn_atari_save(self.pointer.as_ptr(), append, to.cast(), message) })
    }

    /// Takes over what [`Handle::save`] gave for the same game.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Status, String> {
        let mut status = Status::default();
        let (start, length) = (bytes.as_ptr(), bytes.len());
        // SAFETY: open, and borrowed exclusively; the state is `length` bytes long, and the status outlives the call.
        Text::call(|message| unsafe {
            stpn_atari_restore(self.pointer.as_ptr(), start, length, &mut status, message)
        })?;
        Ok(status)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, and nobody else has the pointer.
        unsafe { stpn_atari_close(self.pointer.as_ptr()) }
    }
}

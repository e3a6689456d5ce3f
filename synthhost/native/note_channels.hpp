// Channels of a frame that oscillators follow, before the levels: `core/note_frames.py`.
#pragma once

#include <cstddef>

namespace synthhost {

enum NoteChannel : std::size_t { kCycles, kFraction, kPitchFrom, kPitch, kGain, kTilt, kAir, kStretch, kPlace, kOwn };

}  // namespace synthhost

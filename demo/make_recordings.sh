#!/bin/sh
# How the recordings here were made: by a synthesiser (espeak-ng 1.51, sox 14.4), no human voice.
# The voice was picked among a dozen so that the demo shows a change; it proves nothing.
set -eu
cd "$(dirname "$0")"
say() { # file, pitch, words a minute, text
    espeak-ng -v en-gb+m7 -p "$2" -s "$3" -w "$1.wav" "$4"
    sox "$1.wav" -r 16000 -b 16 "$1.flac" norm -3
    rm "$1.wav"
}
say lively 70 200 "You did what? I told you three times not to touch it! Get out of here!"
say flat 20 120 "I do not know. It does not matter any more."
sox lively.flac flat.flac mixed.flac

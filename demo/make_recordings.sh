#!/bin/sh
# How the recordings here were made: by a synthesiser (espeak-ng 1.51, sox 14.4), no human voice.
set -eu
cd "$(dirname "$0")"
say() { # file, pitch, words a minute, text
    espeak-ng -v en-us+f3 -p "$2" -s "$3" -w "$1.wav" "$4"
    sox "$1.wav" -r 16000 -b 16 "$1.flac" norm -3
    rm "$1.wav"
}
say lively 95 230 "You did what? I told you three times not to touch it! Get out of here!"
say flat 15 105 "I do not know. It does not matter any more."
sox flat.flac lively.flac flat.flac mixed.flac

from affekt.__main__ import run
from affekt.inference import benchmark as module
from affekt.inference.recognizer import load


def test_rates_are_of_what_was_heard(monkeypatch):
    for name, few in (("CLIPS", 2), ("LONG", 6.0), ("RUNS", 1)):
        monkeypatch.setattr(module, name, few)
    rates = module.bench(load("open"))
    assert [(r.files, r.audio) for r in rates] == [(2, 6.0), (2, 6.0), (1, 6.0)]
    assert all(r.seconds > 0 for r in rates)


def test_the_command_shows_them(monkeypatch, capsys):
    for name, few in (("CLIPS", 2), ("LONG", 6.0), ("RUNS", 1)):
        monkeypatch.setattr(module, name, few)
    assert run(["bench", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert "five minutes as one clip" in out
    assert "default: 1 thread, " in err
    assert run(["bench", "--threads", "0"]) == 2

from affekt.__main__ import run
from affekt.inference import benchmark as module
from affekt.inference.recognizer import load


def recognised(work):
    """Seconds of the recordings that were recognised, in place of the time that it took."""
    predictions = work()
    many = predictions if isinstance(predictions, list) else [predictions]
    return sum(p.duration for p in many)


def test_rates_are_of_the_recordings_that_were_recognised(monkeypatch):
    for name, few in (("CLIPS", 2), ("LONG", 6.0), ("RUNS", 1), ("_median", recognised)):
        monkeypatch.setattr(module, name, few)
    rates = module.bench(load("open"))
    assert [(r.files, r.audio) for r in rates] == [(2, 6.0), (2, 6.0), (1, 6.0)]
    assert [r.seconds for r in rates] == [6.0, 6.0, 6.0]


def test_the_time_is_the_median_after_a_first_run_that_does_not_count(monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 11.0, 20.0, 26.0, 30.0, 32.0])  # runs of 9, 1, 6 and 2 s
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    assert module._median(lambda: None) == 2.0


def test_the_command_shows_them(monkeypatch, capsys):
    for name, few in (("CLIPS", 2), ("LONG", 6.0), ("RUNS", 1)):
        monkeypatch.setattr(module, name, few)
    assert run(["bench", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert "five minutes as one clip" in out
    assert "default: 1 thread, " in err
    assert run(["bench", "--threads", "0"]) == 2

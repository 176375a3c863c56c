PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q -c constraints.txt

.PHONY: demo test pytest slow-tests lint docs clean results study ablation imbalance bundled-models across known-speakers unseen voices distilled benchmark faults

demo: $(VENV)/run.stamp
	$(BIN)/affekt predict demo/lively.flac demo/flat.flac demo/mixed.flac --plot demo/out/demo.png

test: $(VENV)/dev.stamp
	$(MAKE) -j 2 lint pytest

pytest: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

slow-tests: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 1 --no-header -rfEp > results/slow-tests.txt

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/dev.stamp
	$(BIN)/python docs/build_site.py

# Long runs. Their last results are committed under results/; move them away to run again.
CORPORA ?= $(or $(AFFEKT_CORPORA),../shared/corpora)
EVALUATE = OMP_NUM_THREADS=1 $(BIN)/affekt evaluate emodb:$(CORPORA)/emodb

results: $(VENV)/dev.stamp
	$(EVALUATE) --out runs/emodb/auto-attention
	$(EVALUATE) --balance.plan none --out runs/emodb/none-attention
	$(EVALUATE) --stage2.pooling mean --out runs/emodb/auto-mean
	$(EVALUATE) --balance.plan none --stage2.pooling mean \
	    --out runs/emodb/none-mean
	$(EVALUATE) --recipe recipes/vggish.toml --out runs/emodb/vggish-random-start

study: $(VENV)/dev.stamp
	for name in emodb casia urdu nemo; do \
	    OMP_NUM_THREADS=1 $(BIN)/affekt study $$name:$(CORPORA)/$$name --workers 2 \
	        --out runs/study/$$name || exit; \
	done

ABLATE = OMP_NUM_THREADS=1 $(BIN)/affekt evaluate emodb:$(CORPORA)/emodb --workers 2 \
    --recipe recipes/ablation.toml

SHORT = --seeds 1 --stage2.epochs 25 --stage2.patience 5 --protocol.no-refit

ablation: $(VENV)/dev.stamp
	for cell in lstm peephole; do for plan in none auto paper-like; do \
	for pooling in attention mean bilinear covariance higher-order; do \
	    out=runs/ablation/$$plan-$$pooling-$$cell; test -f $$out/metrics.json || \
	    $(ABLATE) --balance.plan $$plan --stage2.pooling $$pooling --stage2.cell $$cell \
	        --out $$out || exit; \
	done; done; done
	for pooling in multi-head statistics; do out=runs/ablation/auto-$$pooling-lstm; \
	    test -f $$out/metrics.json || $(ABLATE) --stage2.pooling $$pooling --out $$out || exit; \
	done
	test -f runs/ablation/two-stages-25/metrics.json || \
	    $(ABLATE) $(SHORT) --out runs/ablation/two-stages-25
	test -f runs/ablation/end-to-end-25/metrics.json || $(ABLATE) $(SHORT) \
	    --precision bfloat16 --stage2.end-to-end --out runs/ablation/end-to-end-25
	for plan in auto paper-like; do for system in default length; do \
	    out=runs/ablation/$$plan-both-$$system; test -f $$out/metrics.json || \
	    $(ABLATE) --system $$system --balance.plan $$plan --balance.scope both --out $$out || exit; \
	done; done

# Balance, class weights and focal loss on training parts as unbalanced as the paper's corpora
# (5.9 : 1 and 11 : 1). A cell is runs/imbalance/CORPUS-RATIO/CONTROL, or CORPUS-RATIO-distilled
# with the paper's encoder at a quarter of its width, trained from the weights "distilled".
IMBALANCE = emodb-11 emodb-11-distilled emodb-5.9 emodb-natural casia-11 casia-5.9
network-frozen = --recipe recipes/ablation.toml
network-distilled = --recipe recipes/vggish.toml --weights distilled --precision bfloat16
control-none = --balance.plan none
control-auto = --balance.plan auto
control-paper-like = --balance.plan paper-like
control-paper-like-both = --balance.plan paper-like --balance.scope both
control-inverse = $(control-none) --loss.class-weights inverse
control-inverse-encoder = $(control-inverse) --loss.scope encoder
control-effective-number = $(control-none) --loss.class-weights effective-number
control-focal = $(control-none) --loss.focal-gamma 2
CONTROLS = none auto paper-like paper-like-both inverse inverse-encoder effective-number focal
CELLS = $(foreach name,$(IMBALANCE),$(CONTROLS:%=runs/imbalance/$(name)/%/metrics.json))
parts = $(subst -, ,$(firstword $(subst /, ,$1)))
thinned = $(patsubst %,--protocol.training-imbalance %,$(filter-out natural,$(word 2,$(parts))))
network = $(network-$(or $(word 3,$(parts)),frozen))

imbalance: $(VENV)/dev.stamp $(CELLS)
	for name in $(IMBALANCE); do \
	    $(BIN)/python results/collect.py --by-speaker runs/imbalance/$$name/* \
	        results/imbalance/$$name || exit; \
	done
	$(BIN)/python results/table.py

runs/imbalance/%/metrics.json:
	corpus=$(firstword $(call parts,$*)); OMP_NUM_THREADS=1 $(BIN)/affekt evaluate \
	    $$corpus:$(CORPORA)/$$corpus $(call network,$*) --seeds 5 \
	    $(call thinned,$*) $(control-$(notdir $*)) --out $(@D)

REST = casia nemo turev urdu emovo
POOL = emodb:$(CORPORA)/emodb $(foreach c,$(REST),--pool $(c):$(CORPORA)/$(c))
LEAVE_OUT = emodb:$(CORPORA)/emodb $(foreach c,$(REST),--leave-out $(c):$(CORPORA)/$(c))

bundled-models: $(VENV)/dev.stamp across
	$(EVALUATE) --recipe recipes/open.toml --out runs/open
	$(BIN)/affekt train emodb:$(CORPORA)/emodb --recipe recipes/open.toml \
	    --evaluation runs/open/metrics.json --out models/open
	$(BIN)/affekt train $(POOL) --pool tess:$(CORPORA)/tess --recipe recipes/default.toml \
	    --calibrate-on runs/across/none --calibrate-on runs/across/speaker --out models/default

# Each corpus left out of the pool in turn: what the default model may do on unseen ones.
across: $(VENV)/dev.stamp
	test -f runs/across/fold/metrics.json || OMP_NUM_THREADS=1 $(BIN)/affekt evaluate $(LEAVE_OUT) \
	    --train-only tess:$(CORPORA)/tess --recipe recipes/default.toml --workers 2 \
	    $(foreach n,none clip speaker fold,--normalisations $(n)) --out runs/across
	$(BIN)/python benchmarks/calibration.py $(foreach n,none clip speaker fold,runs/across/$(n)) \
	    > results/calibration.md

# Within a corpus, with and without the unlabelled clips of the test speakers.
known-speakers: $(VENV)/dev.stamp
	for name in emodb casia nemo; do \
	    OMP_NUM_THREADS=1 $(BIN)/affekt evaluate $$name:$(CORPORA)/$$name \
	        --recipe recipes/known-speakers.toml --normalisations none --normalisations speaker \
	        --out runs/known-speakers/$$name && \
	    $(BIN)/python results/collect.py runs/known-speakers/$$name/* \
	        results/known-speakers/$$name || exit; \
	done
	$(BIN)/python results/table.py

unseen: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/unseen.py $(CORPORA) > results/unseen.md

voices: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/voice_likeness.py emodb:$(CORPORA)/emodb \
	    nemo:$(CORPORA)/nemo -- emovo:$(CORPORA)/emovo turev:$(CORPORA)/turev \
	    casia:$(CORPORA)/casia urdu:$(CORPORA)/urdu \
	    emospeech-india:$(CORPORA)/emospeech_india > results/voice-likeness.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/conversations.py $(CORPORA) \
	    > results/conversations.md

# The weights "distilled" of VGGish, and what they are worth on a corpus that is not in their data.
NARROW = $(EVALUATE) --recipe recipes/vggish.toml --precision bfloat16

distilled: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/distil.py $(CORPORA) runs/distil
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/linear_probe.py emodb:$(CORPORA)/emodb \
	    > results/linear-probe.md
	$(NARROW) --encoder.width 0.25 --out runs/emodb/vggish-quarter-random-start
	$(NARROW) --weights distilled --out runs/emodb/vggish-quarter-distilled

SPOKEN = $(wildcard $(CORPORA)/emodb/wav/0*.wav)

benchmark: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/speed.py $(SPOKEN) > results/speed.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/long.py $(SPOKEN) > results/long.md
	$(BIN)/python benchmarks/serve.py demo/lively.flac > results/serve.md
	$(BIN)/python benchmarks/score.py $(SPOKEN) > results/score.md
	mkdir -p build/version-0.1 && git archive debb4e5 src | tar -x -C build/version-0.1
	$(BIN)/python benchmarks/predict.py $(CORPORA)/emodb/wav/*.wav --before build/version-0.1 \
	    > results/predict.md
	OMP_NUM_THREADS=1 taskset -c 0 $(BIN)/python benchmarks/live.py demo/*.flac > results/live.md
	$(BIN)/python benchmarks/decode.py > results/decode.md  # needs the command ffmpeg
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/large.py emodb:$(CORPORA)/emodb 1 3 10 30 100 \
		> results/large.md
	$(BIN)/python benchmarks/scaling.py emodb:$(CORPORA)/emodb > results/scaling.md
	$(BIN)/python benchmarks/vad.py $(foreach c,emodb casia emovo turev urdu tess nemo,$c:$(CORPORA)/$c) \
	    > results/vad.md

faults: $(VENV)/dev.stamp
	AFFEKT_KINDS=results/kinds.md $(BIN)/python -m pytest -n 0 tests/faults/test_interfaces.py
	AFFEKT_FAULTS=10000 $(BIN)/python -m pytest -n 0 -s tests/server/test_faults.py -k damaged \
	    2> /dev/null | tee results/faults.txt
	AFFEKT_KILLS=20 $(BIN)/python -m pytest -n 0 -s tests/server/test_faults.py -k again_and_again \
	    2> /dev/null | tee -a results/faults.txt
	AFFEKT_KILLS=20 $(BIN)/python -m pytest -n 0 -m '' \
	    tests/batch/test_job.py tests/training/test_resume.py -k killed

$(VENV)/run.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[media,train]'
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo/out build site

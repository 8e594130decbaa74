"""Measure wheelstore beside its peers, paired and interleaved; `python benchmarks/run.py --help`."""

"""Those who infer the same work in their own way, each a process of its own.

    python -m benchmarks.contestants.raw build/bench/mobilenet_v3_small-2000

A contestant loads the network, warms up, and prints {"ready": true}. For every line on its standard
input, which holds options in JSON, it infers all pictures and prints {"seconds": …, "labels": […]}:
the time from the first picture to the last result, and the class of each picture. It ends with its
standard input. So start-up, warm-up and reading the pictures are left out of everybody's time, and
whoever reads along (`benchmarks.contest`) can measure the whole process tree from outside.
"""

"""What Scrollback is about: sessions, messages, parts, events. Frozen data without I/O.

What requests hold many of is `gc=False`: a frozen record of text, numbers and JSON is in no cycle,
so the garbage collector need not walk it.
"""

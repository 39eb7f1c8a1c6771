"""A job's results in every form: one file and one line of `table.FORMS` each.

All are streams: none holds more than a few thousand rows, whatever the job's size.
"""

"""The page in a real browser, on a real stack. Skipped where there is no Chromium to be found."""

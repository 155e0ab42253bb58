"""The licence of a web page as an SPDX id, with what on the page says so."""

"""Spreadsheets: guarded before they are opened, read with calamine, written with XlsxWriter."""

"""The commands, one module for each word after ``agi``; a module is imported when it is used."""

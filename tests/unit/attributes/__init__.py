"""The profile's attributes, each worked by hand: a module of cases for each section."""

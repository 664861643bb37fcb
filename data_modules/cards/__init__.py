"""The data sets as declarations, by what they are labelled with. Adding one of a known annotation family takes no code."""

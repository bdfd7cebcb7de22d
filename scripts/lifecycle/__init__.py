"""The life of a stack on EC2 once it is made: looked at, changed, torn down; never made here."""

"""A cloud to test on: moto in this process, corrected where it is kinder than AWS. Never AWS."""

"""What is said when: phrases with times (`phrases`), how text is parted, and the pauses that it is fitted to."""

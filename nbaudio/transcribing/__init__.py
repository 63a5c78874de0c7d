"""Speech to text: recordings of any length in, transcripts with times and speakers out."""

"""What a dataset says, in frames and sentences that terminal, report and charts share. Nothing here draws."""

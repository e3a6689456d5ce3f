"""Where sound goes: a device, the null clock, files; and the stems of a take."""

"""Lightning callbacks that know no model: only parameter names, phases and the trainer."""

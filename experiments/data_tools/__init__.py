"""`nano-emox data`: what is there, what is wrong with it, what one sample looks like. Nothing here needs the model."""

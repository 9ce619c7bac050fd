"""Which settings of the network are worth changing for some pictures: screened, confirmed out of fold, and tested."""

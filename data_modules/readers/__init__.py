"""One reader per annotation family; a data set is a reader with its columns, see `data_modules.datasets`."""

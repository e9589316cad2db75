-- A module that fails when it runs.
error("failed while loading")

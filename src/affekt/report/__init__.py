"""What people look at: pictures, tables on the terminal, model cards."""

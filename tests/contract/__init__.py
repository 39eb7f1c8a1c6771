"""What must hold between files: layers, documents, processes, migrations, containers."""

"""What learners and actors of all algorithms share on a graphics card: graphs, optimisers."""

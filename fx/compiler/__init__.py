"""The compiler: from the Program of a jitted function to one native call."""

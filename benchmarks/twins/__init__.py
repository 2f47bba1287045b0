"""What we are measured beside, a file each: the same work as by hand, or by a package, with the same settings and the
same durability."""

/* Between tests/debug/places.c and tests/debug/places_other.c. */
int other(int n);
void leave(int status);

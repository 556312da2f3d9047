/* `ringwalk check`: runs conformance vectors. */
#include "app/app.h"

int app_check(int argc, char **argv) {
  (void)argv;
  app_error("check: no vector files among %d words", argc - 1);
  return APP_CANNOT_RUN;
}

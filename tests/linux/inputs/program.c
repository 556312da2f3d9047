/* For the compiler: a bit of everything, without a header. */
typedef unsigned long word;
struct node {
  struct node *left, *right;
  int key;
  double weight;
};
static word hash(const char *s) {
  word x = 5381;
  while (*s) x = x * 33 ^ (unsigned char)*s++;
  return x;
}
static struct node *insert(struct node *t, struct node *x) {
  if (!t) return x;
  if (x->key < t->key)
    t->left = insert(t->left, x);
  else
    t->right = insert(t->right, x);
  return t;
}
double dot(const double *a, const double *b, int n) {
  double s = 0;
  for (int i = 0; i < n; i++) s += a[i] * b[i] + a[i] / (b[i] + 1.5);
  return s;
}
void multiply(float *restrict c, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
}
int choose(int x) {
  switch (x % 17) {
  case 0: return x * 3;
  case 1: return x / 7;
  case 2: return x ^ 55;
  case 5: return -x;
  case 8: return x << 3;
  case 9: return choose(x / 2);
  case 12: return x % 13;
  default: return (int)hash("abc") + x;
  }
}
long long wide(long long a, long long b) { return a / b + a % b * (a >> 7) - (a * b << 3); }
long double precise(long double x) { return x * 0x1.23456789abcdefp-3L + 1e-30L / x; }
int main(int argc, char **argv) {
  struct node x[10] = {{0}}, *t = 0;
  for (int i = 0; i < 10; i++) {
    x[i].key = i * 7 % 10;
    x[i].weight = i * .5;
    t = insert(t, &x[i]);
  }
  double d[4] = {1, 2, 3, 4};
  return choose(argc) + (int)dot(d, d, 4) + (int)hash(argv[0]) + t->key;
}

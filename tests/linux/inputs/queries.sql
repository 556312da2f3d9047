create table t(a integer primary key, b real, c text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
  insert into t select i, i * 1.1 / 7, printf('%x-%s', i * 7919, hex(i)) from n;
create index ti on t(c);
select count(*), sum(a), avg(b), total(b), max(c), round(sum(b * b), 4) from t;
select a, b, c from t where c like '1%9' order by b desc limit 10;
select substr(c, 1, 2) k, count(*), sum(b) from t group by k order by 2 desc, 1 limit 8;
select sqrt(b), exp(b / 1000), sin(a), pow(b, 0.3), ln(b + 1), atan2(a, b) from t where a % 500 = 1;
with recursive f(n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from f where n < 80)
  select max(a) from f;
update t set b = b * 1.5 where a % 3 = 0;
delete from t where c < '4';
select json_group_array(a) from t where a < 40;
select date(86400 * a, 'unixepoch'), julianday(a, 'unixepoch') from t limit 5;
select x.a, y.a from t x join t y on x.a = y.a + 7 where x.b < y.b * 1.001 limit 5;
select group_concat(quote(b)) from t where a < 30;
pragma integrity_check;

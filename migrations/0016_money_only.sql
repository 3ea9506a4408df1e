-- Money that buys no credits (`grants = false`) has a package too: its line names it from now on.

COMMENT ON COLUMN purchase_line.package IS
    'Of what was bought; NULL with NULL terms: paid before this was kept for money that bought no '
    'credits.';

COMMENT ON COLUMN creditd_read.revenue_by_month.package IS
    'Also of money that bought no credits; NULL where that was paid before it was kept.';

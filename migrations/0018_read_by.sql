-- Indexes for questions that only reports and operators ask, where events hardly pay for them.

-- A lot's purchase is written with the lot and never changes, so drawing on a lot stays off this.
CREATE INDEX lot_of_purchase ON lot (purchase_id) WHERE purchase_id IS NOT NULL;

-- Written by hand, and rarely.
CREATE INDEX adjustment_of_account ON adjustment (account_id);

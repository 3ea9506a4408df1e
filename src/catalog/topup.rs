//! Whether what an account asks to be topped up with is sold at all (semantics 6.2).

use super::Catalog;
use crate::ledger::{Name, Reason, Rejection, TopUp};

impl Catalog {
    /// # Errors
    /// The rejection that parks the update: no such package, one of another unit, or a limit of
    /// money for a package without a price in that currency.
    pub fn check_topup(&self, unit: &Name, topup: &TopUp) -> Result<(), Rejection> {
        let id = &topup.package;
        let Some((package, price)) = self.index.offer(id, topup.max_money.map(|max| max.currency))
        else {
            return Err(Reason::UnknownPackage.because(format!("no package {id:?} to top up with")));
        };
        match package.terms() {
            Some(terms) if terms.unit == *unit => {}
            Some(terms) => {
                let granted = &terms.unit;
                return Err(Reason::UnitMismatch
                    .because(format!("topup.package {id:?} grants {granted:?}, not {unit:?}")));
            }
            None => {
                return Err(
                    Reason::UnitMismatch.because(format!("topup.package {id:?} grants no credits"))
                );
            }
        }
        match topup.max_money {
            Some(max) if price.is_none() => Err(Reason::CurrencyMismatch.because(format!(
                "topup.max_money is in {}, and package {id:?} has no price in it",
                max.currency.code()
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

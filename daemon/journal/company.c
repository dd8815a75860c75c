#include "daemon/journal/company.h"

enum {
	LONGEST_PATIENCE_US = 5000,
	RUNS_ALONE = 7, /* after one that waited in vain */
};

void company_gather(struct company *company)
{
	company->n_gathered++;
}

void company_leave(struct company *company, uint64_t now_us)
{
	company->left_us = now_us;
	company->n_under_way = company->n_gathered;
	company->n_gathered = company->n_expected = 0;
}

void company_is_answered(struct company *company)
{
	company->n_expected = company->n_gathered + company->n_under_way;
	company->until_us = 0;
	if (company->n_alone == 0)
		return;
	company->n_alone--;
	company->n_expected = 0;
}

uint64_t company_awaited_until(struct company *company, uint64_t now_us)
{
	if (company->n_gathered >= company->n_expected)
		return 0;
	if (company->until_us == 0) {
		uint64_t half_us = (now_us - company->left_us) / 2;
		company->until_us = now_us + (half_us < LONGEST_PATIENCE_US ? half_us : LONGEST_PATIENCE_US);
	}
	if (now_us < company->until_us)
		return company->until_us;
	company->n_expected = 0;
	company->n_alone = RUNS_ALONE;
	return 0;
}

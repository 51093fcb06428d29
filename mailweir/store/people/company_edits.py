"""Finds, changes and removes a company by its id, and pages through a deployment's companies. Called by the page.

`companies` sets a company's visibility and its auto-contacts, for the command line too.
"""

from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import like
from mailweir.store.database.connection import Database
from mailweir.store.people import checks, companies
from mailweir.store.people.companies import Company
from mailweir.store.people.deployments import Deployment


def find(database: Database, deployment: Deployment, company_id: int) -> Company:
    """The company with this id. NotFound, also if it is another deployment's."""
    found = companies.select(database, deployment, "AND id = ?", (company_id,))
    if not found:
        raise NotFound(said("there is no such company"))
    return found[0]


def page(database: Database, deployment: Deployment, words: str, before: int | None, limit: int) -> list[Company]:
    """Companies whose name or domain contains these words, the newest first. before: those with a smaller id. "" finds all."""
    ending: str = ""
    values: tuple[str | int, ...] = ()
    if words.strip():
        pattern = f"%{like.escaped(' '.join(words.split()).lower())}%"
        ending, values = "AND (LOWER(name) LIKE ? ESCAPE '!' OR domain LIKE ? ESCAPE '!')", (pattern, pattern)
    if before is not None:
        ending, values = f"{ending} AND id < ?", (*values, before)
    return companies.select(database, deployment, f"{ending} ORDER BY id DESC LIMIT ?", (*values, limit))


def names(database: Database, deployment: Deployment, limit: int) -> list[str]:
    """Names of companies to choose from, in alphabetical order."""
    sql = "SELECT name FROM companies WHERE deployment_id = ? ORDER BY name LIMIT ?"
    return [name for (name,) in database.execute(sql, (deployment.id, limit)).fetchall()]


def count_contacts(database: Database, company: Company) -> int:
    """The number of contacts that work for the company."""
    sql = "SELECT COUNT(*) FROM contacts WHERE company_id = ? AND removed_at IS NULL"
    return int(database.execute(sql, (company.id,)).fetchone()[0])


def change(database: Database, deployment: Deployment, company_id: int, name: str, domain: str) -> Company:
    """Gives a company another name and domain; "" for no domain. NotFound; BadInput, also for
    another domain while mail from the current one makes contacts."""
    name = checks.clean_name(name, said("company's"))
    cleaned = checks.clean_domain(domain) if domain.strip() else None
    with database.transaction():
        before = find(database, deployment, company_id)
        if before.auto_contacts and cleaned != before.domain:
            raise BadInput(
                said(
                    "mail from {domain} adds contacts: switch that off first, then change the domain",
                    domain=before.domain,
                )
            )
        if companies.select(database, deployment, "AND name = ? AND id <> ?", (name, company_id)):
            raise BadInput(
                said("there is a company '{name}' in {deployment} already", name=name, deployment=deployment.name)
            )
        if (name, cleaned) != (before.name, before.domain):
            sql = "UPDATE companies SET name = ?, domain = ? WHERE id = ?"
            database.execute(sql, (name, cleaned, company_id))
        return find(database, deployment, company_id)


def remove(database: Database, deployment: Deployment, company_id: int) -> Company:
    """Removes a company, and returns it. Its contacts stay, without a company. NotFound."""
    with database.transaction():
        removed = find(database, deployment, company_id)
        database.execute("UPDATE contacts SET company_id = NULL WHERE company_id = ?", (company_id,))
        database.execute("DELETE FROM companies WHERE id = ?", (company_id,))
        companies.note_auto_contacts(database, deployment)
        return removed

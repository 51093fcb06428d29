"""Companies, which contacts work for. Called by the command line and by `contacts`."""

from dataclasses import dataclass
from datetime import datetime

from mailweir import free_mail
from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import like, models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import checks, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Company:
    """A company. domain: that of its mail addresses, or None. visibility: the default for new mail with it. auto_contacts: does
    mail from the domain make contacts? created_at: UTC."""

    id: int
    deployment: str
    name: str
    domain: str | None
    created_at: datetime
    visibility: str = Visibility.EVERYONE
    auto_contacts: bool = False


def add(database: Database, deployment: Deployment, name: str, domain: str | None, now: datetime) -> Company:
    """Makes a company. BadInput if name or domain is invalid, or the name is taken."""
    name = checks.clean_name(name, said("company's"))
    domain = None if domain is None else checks.clean_domain(domain)
    with database.bound(), database.transaction():
        if select(database, deployment, "AND name = ?", (name,)):
            raise BadInput(
                said("there is a company '{name}' in {deployment} already", name=name, deployment=deployment.name)
            )
        models.Company.create(deployment=deployment.id, name=name, domain=domain, created_at=rfc3339(now))
        return select(database, deployment, "AND name = ?", (name,))[0]


def set_visibility(database: Database, deployment: Deployment, name: str, visibility: Visibility) -> Company:
    """Sets the visibility of mail with the company's contacts, from the next message on. NotFound."""
    with database.bound(), database.transaction():
        company_id, table = known_id(database, deployment, name), models.Company
        is_it = (table.id == company_id, table.visibility != str(visibility))
        table.update(visibility=str(visibility)).where(*is_it).execute()
        deployments.note_restriction(deployment, visibility)
        return select(database, deployment, "AND id = ?", (company_id,))[0]


def set_auto_contacts(database: Database, deployment: Deployment, name: str, now: datetime, *, is_on: bool) -> Company:
    """Switches whether proven mail from or to the company's domain makes contacts. Counts at the next message. Each time it is
    switched on, the sync searches for earlier mail. NotFound; BadInput without a domain, or if others use it, too."""
    with database.bound(), database.transaction():
        company_id = known_id(database, deployment, name)
        (company,) = select(database, deployment, "AND id = ?", (company_id,))
        if is_on:
            _refuse_for_contacts(database, deployment, company)
            models.AutoContactSwitch.create(deployment=deployment.id, domain=company.domain, switched_at=rfc3339(now))
        if company.auto_contacts != is_on:
            models.Company.update(auto_contacts=int(is_on)).where(models.Company.id == company_id).execute()
        note_auto_contacts(database, deployment)
        return select(database, deployment, "AND id = ?", (company_id,))[0]


def note_auto_contacts(database: Database, deployment: Deployment) -> None:
    """Within the transaction that changes or removes a company: records for matching whether any company's domain makes
    contacts."""
    database.execute(
        "UPDATE deployments SET has_auto_contacts = 1 - has_auto_contacts WHERE id = ? AND has_auto_contacts <>"
        " CASE WHEN EXISTS (SELECT 1 FROM companies c WHERE c.deployment_id = deployments.id AND c.auto_contacts = 1)"
        " THEN 1 ELSE 0 END",
        (deployment.id,),
    )


def why_not_alone(database: Database, deployment_id: int, domain: str) -> str | None:
    """The reason why people outside of one company write from the domain, too; None if no such reason is known."""
    if free_mail.is_free(domain):
        return said("anybody may have an address at {domain}", domain=domain)
    sql = (
        "SELECT d.name FROM deployments d WHERE d.domain = ? UNION ALL"
        " SELECT u.username FROM user_addresses a JOIN users u ON u.id = a.user_id WHERE a.deployment_id = ?"
        " AND a.address LIKE ? ESCAPE '!' UNION ALL"
        " SELECT g.address FROM group_addresses g WHERE g.deployment_id = ? AND g.address LIKE ? ESCAPE '!' LIMIT 1"
    )
    ends = f"%@{like.escaped(domain)}"
    row = database.execute(sql, (domain, deployment_id, ends, deployment_id, ends)).fetchone()
    return said("{domain} is the firm's own domain", domain=domain) if row else None


def _refuse_for_contacts(database: Database, deployment: Deployment, company: Company) -> None:
    if company.domain is None:
        raise BadInput(
            said("the company {company} has no domain, and mail adds contacts by the domain", company=company.name)
        )
    if reason := why_not_alone(database, deployment.id, company.domain):
        raise BadInput(
            said("mail from the domain of {company} can't add contacts: {reason}", company=company.name, reason=reason)
        )
    others = (company.domain, company.id)
    for other in select(database, deployment, "AND domain = ? AND auto_contacts = 1 AND id <> ?", others):
        raise BadInput(
            said(
                "mail from {domain} already adds contacts to the company {other}",
                domain=company.domain,
                other=other.name,
            )
        )


def list_all(database: Database, deployment: Deployment) -> list[Company]:
    """The deployment's companies, by name."""
    return select(database, deployment, "ORDER BY name")


def known_id(database: Database, deployment: Deployment, name: str) -> int:
    """The id of the company of this name; for `contacts`, within its transaction. NotFound."""
    found = select(database, deployment, "AND name = ?", (checks.clean_name(name, said("company's")),))
    if not found:
        raise NotFound(
            said(
                "unknown company '{name}' in {deployment}; add it with 'mailweir company add'",
                name=name,
                deployment=deployment.name,
            )
        )
    return found[0].id


def select(
    database: Database, deployment: Deployment, ending: str, values: tuple[str | int, ...] = ()
) -> list[Company]:
    """A deployment's companies. ending: the rest of the query, after the condition for the deployment. Public for
    `company_edits`."""
    sql = f"SELECT id, name, domain, created_at, visibility, auto_contacts FROM companies WHERE deployment_id = ? {ending}"
    return [
        Company(
            id=row["id"],
            deployment=deployment.name,
            name=row["name"],
            domain=row["domain"],
            created_at=parse(row["created_at"]),
            visibility=row["visibility"],
            auto_contacts=bool(row["auto_contacts"]),
        )
        for row in rows.named(database.execute(sql, (deployment.id, *values)))
    ]

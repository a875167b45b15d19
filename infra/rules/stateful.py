"""E9002: what holds mail, filings or keys outlives the stack."""

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

STATEFUL = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket")
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


class StatefulResourcesAreRetained(CloudFormationLintRule):
    id = "E9002"
    shortdesc = "Tables, buckets and keys are retained"
    description = "Deleting or replacing the stack must not delete a customer's mail."

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name}: {policy} is not Retain")
            for name, resource in cfn.get_resources(list(STATEFUL)).items()
            for policy in POLICIES
            if resource.get(policy) != "Retain"
        ]

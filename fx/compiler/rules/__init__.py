"""The rules of the pass `algebra`, by idea; each module has a table RULES from primitives to rules.

All are exact in IEEE arithmetic: results, infinities, the sign of zeros and where NaNs stand are the same
(not the payload of a NaN, which IEEE leaves open). What is not, stands in the tests as a refusal.
"""

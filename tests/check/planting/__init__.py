"""Mistakes as people make them, planted in derivations by hand that are drawn at random: does the check name them?"""
